"""How is work finished that outlives the request that asked for it?"""
