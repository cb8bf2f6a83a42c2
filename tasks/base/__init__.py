"""What several domains use; it knows of none of them."""
