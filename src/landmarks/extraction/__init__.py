"""Pictures -> descriptors and local features, shard by shard."""
