"""The obsessive-compulsive loop, extinction, and what ketamine does to them. Knows no clinic."""
