-- Takes the notes of what others changed in a campaign; what they note from now on is for the next recount.
DELETE FROM changed_campaigns WHERE campaign_id = $1;
