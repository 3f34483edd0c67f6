-- Channels of a node's environment and programs are that node's own, and no rows any more.
DELETE FROM channels WHERE source IN ('builtin', 'environment');
