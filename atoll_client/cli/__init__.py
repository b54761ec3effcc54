"""The command ``atoll``: a few verbs made by hand, all others from the OpenAPI document."""
