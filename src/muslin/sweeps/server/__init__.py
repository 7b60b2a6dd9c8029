"""A server that speaks W&B's protocol, sweeps included, for one person or one lab; for the clients 0.16 to 0.31.

store.py        what it remembers, in SQLite
logs.py         files of lines that clients write by offset
trials.py       a sweep as the server leads it
desk.py         what happens to projects, runs and sweeps
schema.graphql  what clients ask
filters.py      filters and orders of the public API
links.py        where uploaded files lie, and their addresses
nodes.py        projects, runs, sweeps, agents as GraphQL sees them
artifacts.py    artifacts: versions of files
graph.py        queries and mutations
door.py         who may come in: key, Host, Origin
application.py  HTTP: GraphQL, streams of runs, files
pages.py        projects, runs and sweeps to look at
host.py         one server a folder: begun, found, asked
listener.py     a server for the programs of `muslin sweep`
"""
