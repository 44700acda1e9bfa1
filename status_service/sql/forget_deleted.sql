-- Takes the notes of campaigns that were deleted since: there is nothing to recount.
DELETE FROM changed_campaigns AS note WHERE NOT EXISTS (SELECT FROM campaign_logs WHERE id = note.campaign_id);
