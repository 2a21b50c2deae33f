"""What does an attempt cost, by which price versions?"""
