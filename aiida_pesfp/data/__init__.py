"""AiiDA node types. What a user filters on is an attribute, arrays are in the repository, extras are the user's own."""
