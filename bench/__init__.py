"""What does a governed call cost, side by side with other gateways on the same upstream?"""
