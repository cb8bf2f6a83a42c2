"""Figures: frames as pictures that say what they found, and as tables and tiles for people.

Importing the package registers the plot theme ``zumo`` and makes it the default. Figures know frames
and plotly, nothing else.
"""

from zumolib.figures import theme

theme.register()
