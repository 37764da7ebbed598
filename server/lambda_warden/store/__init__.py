"""What is kept: the records of every decision and outcome, how much of each limit is used, and people's answers."""
