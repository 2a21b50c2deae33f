"""Which providers may serve a call, in which order, and why?"""
