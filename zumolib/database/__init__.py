"""Django's ORM outside of Django, and what its errors mean."""
