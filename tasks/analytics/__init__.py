"""Figures for people who steer."""
