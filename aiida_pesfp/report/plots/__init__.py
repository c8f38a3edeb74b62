"""Figures, by plotly for pages and by matplotlib for papers."""
