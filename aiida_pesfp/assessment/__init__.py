"""Labels, scores of descriptors, ranking models: numpy, scipy, scikit-learn. Knows neither AiiDA nor torch."""
