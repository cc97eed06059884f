"""A champion made smaller or faster: recipes, what each costs in quality, and the one chosen."""
