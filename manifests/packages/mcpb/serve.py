"""What a host of the bundle starts: `lambda-warden serve` with its arguments."""

import runpy
import sys

sys.argv.insert(1, "serve")
runpy.run_module("lambda_warden", run_name="__main__")
