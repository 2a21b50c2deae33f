"""Who really served a call, and how do we know?"""
