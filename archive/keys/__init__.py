"""The key broker and the signer of work orders, each a process of its own."""
