"""A study of the user's own data: what its files hold, the task that fits them, and the study as text."""
