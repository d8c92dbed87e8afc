"""Values, contracts and errors that every other package uses.

``types`` holds nodes, edges and facts, ``edits`` the changes that a store applies, ``protocols`` the contracts of a
store, an index and a text encoder, ``errors`` the error tree, ``checkpoints`` the format of trained weights. This
package imports no other package of graphmem.
"""
