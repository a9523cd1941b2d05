-- time_zone --
-- Elsewhere in a subquery, with OFFSET 0 in a FROM: else the function is called for each row, which takes 50 us.
SELECT lambda.time_zone();

-- today --
SELECT lambda.today();
