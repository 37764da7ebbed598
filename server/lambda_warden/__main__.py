"""The `lambda-warden` command, and `python -m lambda_warden`."""

import gc

# What is loaded stays: looking for garbage among it takes a tenth of a start, and then a part of every collection.
gc.disable()
from lambda_warden.cli import main  # noqa: E402

gc.freeze()
# A call makes some thousands of objects, and hardly any circles: by default it would be looked through several times.
gc.set_threshold(20_000)
gc.enable()

if __name__ == "__main__":
    main()
