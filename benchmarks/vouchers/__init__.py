"""How many vouchers one process gives in the chat, beside the same transaction without a product."""
