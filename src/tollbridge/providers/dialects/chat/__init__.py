"""How is a chat said in the wire formats that people speak, and carried from one to another?"""
