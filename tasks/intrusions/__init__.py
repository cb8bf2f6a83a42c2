"""Who should not come in: bursts of failed logins, bad addresses, people who act unlike themselves."""
