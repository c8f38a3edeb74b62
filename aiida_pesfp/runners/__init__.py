"""The executables of the compute node. They need no AiiDA profile and work the same when called by hand."""
