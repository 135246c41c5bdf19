"""The pages, charts and pictures of the reports."""
