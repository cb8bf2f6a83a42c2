"""The business tasks on real databases, a real cache, a real mail server and the stand-in provider."""
