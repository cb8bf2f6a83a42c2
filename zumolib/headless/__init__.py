"""The notebooks run without a person before them: reports, and their pages."""
