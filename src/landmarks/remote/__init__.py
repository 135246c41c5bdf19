"""What lies on other machines: fetched, and sent."""
