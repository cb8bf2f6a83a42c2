"""Money that tenants pay."""
