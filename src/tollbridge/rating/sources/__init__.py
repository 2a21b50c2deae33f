"""What do others say that a model costs?"""
