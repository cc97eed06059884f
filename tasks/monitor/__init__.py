"""New rows watched: do they, and what the champion says of them, still look as they did?"""
