"""The deployable project: the packages composed into one system."""
