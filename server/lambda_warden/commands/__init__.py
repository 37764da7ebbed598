"""The subcommands of `lambda-warden`, a file each."""
