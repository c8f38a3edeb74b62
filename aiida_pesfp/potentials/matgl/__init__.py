"""Models of matgl."""
