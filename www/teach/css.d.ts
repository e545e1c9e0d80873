/** Style sheets that come with a library. */
declare module '*.css'
