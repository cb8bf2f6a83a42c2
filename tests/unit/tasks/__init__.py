"""What the business tasks are made of, without a service."""
