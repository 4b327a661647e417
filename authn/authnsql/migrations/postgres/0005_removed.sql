-- Nothing is kept of the identifier of somebody who was removed. A release that does not know it goes
-- on as before.
UPDATE authn_person SET sealed = NULL WHERE state = 'removed';
