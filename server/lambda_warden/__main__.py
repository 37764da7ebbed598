"""`python -m lambda_warden`, the same as the `lambda-warden` command."""

from lambda_warden.cli import main

main()
