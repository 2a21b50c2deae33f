"""What did which provider answer?"""
