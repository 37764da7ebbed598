"""The use case of `list_functions`: the manifest's rules joined with what AWS knows."""
