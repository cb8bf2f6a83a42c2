"""Projects of other people, which share no code with ours: what an observer must leave as it is."""
