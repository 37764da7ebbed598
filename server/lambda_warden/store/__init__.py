"""What is kept: the records of every decision and outcome."""
