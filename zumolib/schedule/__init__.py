"""What will be: the entries of a schedule, what is wrong with some, and when each is due."""
