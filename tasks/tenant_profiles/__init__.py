"""What people prove and agree to ends some day."""
