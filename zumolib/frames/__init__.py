"""Frames: history, schedule and live inspection as pandas frames, ready for figures.

Every time is UTC (datetime64[us, UTC]) and every duration is in seconds (float64) unless its column says
otherwise. A frame knows nothing of drawing.
"""
