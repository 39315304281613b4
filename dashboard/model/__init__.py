"""The read model of the arena: folds of the topics, and answers made from them."""
