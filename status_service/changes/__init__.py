"""What Meta says of templates, numbers and accounts, on its way into the platform's tables."""
